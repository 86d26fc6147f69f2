//! Single flight: work that many ask for at once is done once, and all get its result.
//!
//! The work is a task of its own, so a client that goes away takes nothing from the others. Whoever comes after a
//! change does not join work that began before it.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use super::Error;

type Outcome<T> = Option<Result<T, Arc<Error>>>;
type Flying<K, T> = Arc<Mutex<HashMap<K, Flight<T>>>>;

/// Work under way, by what it makes.
pub(super) struct Flights<K, T> {
    flying: Flying<K, T>,
}

struct Flight<T> {
    began: u64,
    outcome: watch::Receiver<Outcome<T>>,
}

impl<K, T> Default for Flights<K, T> {
    fn default() -> Self {
        Flights { flying: Arc::default() }
    }
}

impl<K, T> Flights<K, T>
where
    K: Clone + Eq + Hash + Send + 'static,
    T: Clone + Send + Sync + 'static,
{
    /// Joins the work on `key` if it is under way and fresh, else begins it, unless `again` finds it done.
    pub(super) async fn join<F>(
        &self,
        key: &K,
        began: u64,
        fresh: impl Fn(u64) -> bool,
        again: impl FnOnce() -> Option<T>,
        work: impl FnOnce() -> F,
    ) -> Result<T, Error>
    where
        F: Future<Output = Result<T, Error>> + Send + 'static,
    {
        let mut outcome = {
            let mut flying = lock(&self.flying);
            match flying.get(key) {
                Some(flight) if fresh(flight.began) => flight.outcome.clone(),
                _ => {
                    // Work stores its result before it leaves the table: who missed both looks once more.
                    if let Some(done) = again() {
                        return Ok(done);
                    }
                    let (tell, outcome) = watch::channel(None);
                    flying.insert(key.clone(), Flight { began, outcome: outcome.clone() });
                    let landing =
                        Landing { flying: Arc::clone(&self.flying), key: key.clone(), outcome: outcome.clone() };
                    let work = work();
                    tokio::spawn(async move {
                        let result = work.await;
                        drop(landing);
                        tell.send_replace(Some(result.map_err(Arc::new)));
                    });
                    outcome
                }
            }
        };
        let told = outcome.wait_for(Option::is_some).await.map_err(|_| Error::Lost)?;
        match told.as_ref() {
            Some(Ok(result)) => Ok(result.clone()),
            Some(Err(error)) => Err(Error::share(error)),
            None => Err(Error::Lost),
        }
    }
}

/// Takes the work off the table, also when it panics.
struct Landing<K: Eq + Hash, T> {
    flying: Flying<K, T>,
    key: K,
    outcome: watch::Receiver<Outcome<T>>,
}

impl<K: Eq + Hash, T> Drop for Landing<K, T> {
    fn drop(&mut self) {
        let mut flying = lock(&self.flying);
        // Fresher work on the same key may have taken the place.
        if flying.get(&self.key).is_some_and(|flight| flight.outcome.same_channel(&self.outcome)) {
            flying.remove(&self.key);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
