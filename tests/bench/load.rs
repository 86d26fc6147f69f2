//! The client of `http`: keep-alive connections on one thread, each with one request at a time.
//!
//! Answers have a fixed length, known beforehand, so that the client costs next to nothing beside the server.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

/// What is asked, of whom.
#[derive(Clone)]
pub struct Target {
    pub address: SocketAddr,
    pub request: Vec<u8>,
    /// Of the answer, head and body.
    pub length: usize,
}

impl Target {
    async fn connect(&self) -> io::Result<TcpStream> {
        let stream = TcpStream::connect(self.address).await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    async fn ask(&self, stream: &mut TcpStream, buffer: &mut [u8]) -> io::Result<()> {
        stream.write_all(&self.request).await?;
        let mut left = self.length;
        while left > 0 {
            match stream.read(buffer).await? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                count => left = left.checked_sub(count).ok_or_else(|| io::Error::other("a longer answer"))?,
            }
        }
        Ok(())
    }
}

/// Asks without a pause; how long all requests took.
pub async fn as_fast_as_it_goes(target: &Target, connections: usize, requests: usize) -> Duration {
    let mut streams = Vec::new();
    for _ in 0..connections {
        streams.push(target.connect().await.expect("it listens"));
    }
    let begin = Instant::now();
    let mut tasks = JoinSet::new();
    for mut stream in streams {
        let target = target.clone();
        tasks.spawn(async move {
            let mut buffer = vec![0; 128 * 1024];
            for _ in 0..requests / connections {
                target.ask(&mut stream, &mut buffer).await.expect("an answer");
            }
        });
    }
    while let Some(ended) = tasks.join_next().await {
        ended.expect("no panic");
    }
    begin.elapsed()
}

/// Asks at a steady rate for a time; how long each answer took, from when it was due to be asked for where the
/// connection was still busy then.
pub async fn at_a_rate(target: &Target, connections: usize, rate: f64, time: Duration) -> Vec<Duration> {
    let pause = Duration::from_secs_f64(connections as f64 / rate);
    let begin = Instant::now() + Duration::from_millis(50);
    let mut tasks = JoinSet::new();
    for number in 0..connections {
        let target = target.clone();
        tasks.spawn(async move {
            let mut stream = target.connect().await.expect("it listens");
            let mut buffer = vec![0; 128 * 1024];
            let mut latencies = Vec::new();
            let mut due = begin + pause.mul_f64(number as f64 / connections as f64);
            while due < begin + time {
                let busy = Instant::now() > due;
                sleep_until(due).await;
                // A timer that rings late is not the server's fault.
                let asked = if busy { due } else { Instant::now() };
                target.ask(&mut stream, &mut buffer).await.expect("an answer");
                latencies.push(asked.elapsed());
                due += pause;
            }
            latencies
        });
    }
    let mut all = Vec::new();
    while let Some(ended) = tasks.join_next().await {
        all.extend(ended.expect("no panic"));
    }
    all
}

/// Asks one after another on one connection.
pub async fn one_by_one(target: &Target, requests: usize) -> Vec<Duration> {
    let mut stream = target.connect().await.expect("it listens");
    let mut buffer = vec![0; 128 * 1024];
    let mut latencies = Vec::new();
    for _ in 0..requests {
        let asked = Instant::now();
        target.ask(&mut stream, &mut buffer).await.expect("an answer");
        latencies.push(asked.elapsed());
    }
    latencies
}

/// Connections that asked once and wait.
pub async fn idle(target: &Target, count: usize) -> io::Result<Vec<TcpStream>> {
    let mut streams = Vec::new();
    let mut buffer = vec![0; 128 * 1024];
    for _ in 0..count {
        let mut stream = target.connect().await?;
        target.ask(&mut stream, &mut buffer).await?;
        streams.push(stream);
    }
    sleep(Duration::from_secs(1)).await;
    Ok(streams)
}

/// Readers that ask for all and take a kilobyte a second, with little room for more. They go on while the runtime does.
pub async fn slow(target: &Target, count: usize) -> io::Result<JoinSet<()>> {
    let mut readers = JoinSet::new();
    for number in 0..count {
        let socket = TcpSocket::new_v4()?;
        socket.set_recv_buffer_size(4096)?;
        let mut stream = socket.connect(target.address).await?;
        stream.write_all(&target.request).await?;
        readers.spawn(async move {
            sleep(Duration::from_micros(1_000_000 / 4000 * number as u64)).await;
            let mut buffer = vec![0; 1024];
            while stream.read(&mut buffer).await.is_ok_and(|count| count > 0) {
                sleep(Duration::from_secs(1)).await;
            }
        });
    }
    sleep(Duration::from_secs(1)).await;
    Ok(readers)
}
