//! Where requests wait for a topic partition: lists of wakers, no timer and no task per request.
//!
//! A waiter registers first and checks its condition afterwards, so that a change between the two is never missed.

use std::sync::atomic::{AtomicUsize, Ordering, fence};
use std::task::{Context, Waker};

use parking_lot::Mutex;

/// The wakers of the requests that wait for one topic partition to change.
#[derive(Debug, Default)]
pub struct WaitList {
    registered: AtomicUsize,
    slots: Mutex<Slots>,
}

#[derive(Debug, Default)]
struct Slots {
    next_ticket: u64,
    /// By ticket, ascending: a new one is always the largest.
    wakers: Vec<(u64, Waker)>,
}

impl Slots {
    fn position(&self, number: u64) -> Option<usize> {
        self.wakers.binary_search_by_key(&number, |slot| slot.0).ok()
    }
}

/// A waiter's place in a [`WaitList`]; given up when dropped.
#[derive(Debug)]
pub struct Ticket<'a> {
    list: &'a WaitList,
    number: Option<u64>,
}

impl WaitList {
    /// A place in the list that is not registered yet.
    pub fn ticket(&self) -> Ticket<'_> {
        Ticket { list: self, number: None }
    }

    /// Whether nobody is registered.
    pub fn is_empty(&self) -> bool {
        // As in `wake_all`.
        fence(Ordering::SeqCst);
        self.registered.load(Ordering::SeqCst) == 0
    }

    /// Wakes every registered waiter once; each registers again if it has to wait on.
    pub fn wake_all(&self) {
        // Pairs with the fence in `register`: of a change and a registration, one sees the other.
        fence(Ordering::SeqCst);
        if self.registered.load(Ordering::SeqCst) == 0 {
            return;
        }
        let wakers = {
            let mut slots = self.slots.lock();
            self.registered.store(0, Ordering::SeqCst);
            std::mem::take(&mut slots.wakers)
        };
        for (_, waker) in wakers {
            waker.wake();
        }
    }
}

impl Ticket<'_> {
    /// Registers the task of `context` for the next [`WaitList::wake_all`].
    pub fn register(&mut self, context: &Context<'_>) {
        let mut slots = self.list.slots.lock();
        if let Some(index) = self.number.and_then(|number| slots.position(number)) {
            slots.wakers[index].1.clone_from(context.waker());
            fence(Ordering::SeqCst);
            return;
        }
        let number = slots.next_ticket;
        slots.next_ticket += 1;
        slots.wakers.push((number, context.waker().clone()));
        self.list.registered.store(slots.wakers.len(), Ordering::SeqCst);
        self.number = Some(number);
        fence(Ordering::SeqCst);
    }
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        let Some(number) = self.number else { return };
        let mut slots = self.list.slots.lock();
        if let Some(index) = slots.position(number) {
            slots.wakers.remove(index);
            self.list.registered.store(slots.wakers.len(), Ordering::SeqCst);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::task::{Context, Wake};

    use super::*;

    #[derive(Default)]
    struct Flag(AtomicBool);
    impl Wake for Flag {
        fn wake(self: Arc<Self>) {
            self.0.store(true, Ordering::SeqCst);
        }
    }

    #[test]
    fn a_registered_waiter_is_woken_once_and_a_dropped_one_never() {
        let list = WaitList::default();
        let (stays, leaves) = (Arc::new(Flag::default()), Arc::new(Flag::default()));
        let mut first = list.ticket();
        first.register(&Context::from_waker(&stays.clone().into()));
        let mut second = list.ticket();
        second.register(&Context::from_waker(&leaves.clone().into()));
        drop(second);
        list.wake_all();
        assert!(stays.0.swap(false, Ordering::SeqCst));
        assert!(!leaves.0.load(Ordering::SeqCst));
        list.wake_all();
        assert!(!stays.0.load(Ordering::SeqCst), "a waiter that did not register again is left alone");
        first.register(&Context::from_waker(&stays.clone().into()));
        list.wake_all();
        assert!(stays.0.load(Ordering::SeqCst));
    }
}
