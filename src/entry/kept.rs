//! The kept bytes of a file: compressed, with the name of the codec, so that a later release can choose another.

use std::borrow::Cow;
use std::cell::RefCell;
use std::io::{self, Read};

use zstd::bulk::Compressor;

/// The codec is named per row in the catalog.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Codec {
    /// The bytes as they were.
    Plain,
    /// A Zstandard frame (RFC 8878).
    Zstd,
}

impl Codec {
    /// The number in the catalog.
    pub fn number(self) -> u8 {
        match self {
            Codec::Plain => 0,
            Codec::Zstd => 1,
        }
    }

    /// The codec of a number.
    pub fn from_number(number: u8) -> Option<Codec> {
        [Codec::Plain, Codec::Zstd].into_iter().find(|codec| codec.number() == number)
    }
}

/// Of a first load on two cores this is a fortieth quicker than level 1, for a tenth more bytes; level 3 is slower by a
/// tenth and saves 2 %. LZ4 takes a quarter more bytes, so that one row fits into a page where two did.
const LEVEL: i32 = -1;

/// Room that a thread keeps for what it compresses next, at most.
const ROOM: usize = 256 << 10;

thread_local! {
    /// Kept by each thread that compresses: making one anew costs a fifth of compressing an article.
    static PACKER: RefCell<Option<Packer>> = RefCell::new(Packer::new().ok());
}

struct Packer {
    zstd: Compressor<'static>,
    room: Vec<u8>,
}

impl Packer {
    fn new() -> io::Result<Packer> {
        Ok(Packer { zstd: Compressor::new(LEVEL)?, room: Vec::new() })
    }

    /// In no more memory than it takes: it may wait for a while.
    fn pack(&mut self, bytes: &[u8]) -> io::Result<Vec<u8>> {
        self.room.clear();
        self.room.reserve(zstd::zstd_safe::compress_bound(bytes.len()));
        self.zstd.compress_to_buffer(bytes, &mut self.room)?;
        let packed = self.room.as_slice().to_vec();
        if self.room.capacity() > ROOM {
            self.room = Vec::new();
        }
        Ok(packed)
    }
}

/// A file's bytes as the catalog keeps them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// How they are compressed.
    pub codec: Codec,
    /// Compressed.
    pub bytes: Vec<u8>,
}

impl Kept {
    /// Compresses a file's bytes.
    pub fn new(bytes: &[u8]) -> Kept {
        match PACKER.with_borrow_mut(|packer| packer.as_mut().map(|packer| packer.pack(bytes))) {
            Some(Ok(packed)) if packed.len() < bytes.len() => Kept { codec: Codec::Zstd, bytes: packed },
            _ => Kept { codec: Codec::Plain, bytes: bytes.to_vec() },
        }
    }

    /// The file's bytes.
    ///
    /// # Errors
    ///
    /// Where the stored bytes are damaged.
    pub fn open(&self) -> io::Result<Cow<'_, [u8]>> {
        match self.codec {
            Codec::Plain => Ok(Cow::Borrowed(&self.bytes)),
            Codec::Zstd => {
                let mut bytes = Vec::with_capacity(self.bytes.len() * 3);
                zstd::stream::read::Decoder::new(self.bytes.as_slice())?.read_to_end(&mut bytes)?;
                Ok(Cow::Owned(bytes))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_come_back() {
        for bytes in [b"".to_vec(), b"a".to_vec(), "金融 ".repeat(500).into_bytes()] {
            assert_eq!(Kept::new(&bytes).open().expect("reads back").as_ref(), bytes);
        }
    }
}
