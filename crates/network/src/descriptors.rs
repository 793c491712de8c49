//! The process's descriptor limit, raised at start and split between sockets and files.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Descriptors that belong to neither share: standard streams, event queues, lock files, listeners.
const RESERVED: u64 = 64;
/// What is assumed where the system sets no limit.
const UNLIMITED: u64 = 1 << 20;

/// How many descriptors each side may hold open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DescriptorShares {
    /// For connections: an upper bound of `max.connections`.
    pub sockets: usize,
    /// For segment files: storage's open-file budget.
    pub files: usize,
}

/// Raises the soft limit of open descriptors to the hard one and splits it: three quarters for sockets, since
/// files are reopened on demand and sockets are not. A limit that cannot be raised is split as it is.
pub fn raise_descriptor_limit() -> DescriptorShares {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    let current = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => limit.maximum,
        Err(error) => {
            tracing::warn!(%error, limit = ?limit.current, "cannot raise the limit of open descriptors");
            limit.current
        }
    };
    split(current.unwrap_or(UNLIMITED))
}

fn split(limit: u64) -> DescriptorShares {
    let usable = limit.saturating_sub(RESERVED).max(2);
    let files = (usable / 4).max(1);
    let sockets = usable - files;
    DescriptorShares { sockets: sockets as usize, files: files as usize }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_never_exceed_the_limit() {
        for limit in [66, 256, 1024, 20_000, 1 << 20] {
            let shares = split(limit);
            assert!((shares.sockets + shares.files) as u64 + RESERVED <= limit, "{limit}: {shares:?}");
            assert!(shares.files >= 1 && shares.sockets >= 1);
        }
        assert_eq!(split(0), DescriptorShares { sockets: 1, files: 1 });
    }

    #[test]
    fn the_soft_limit_becomes_the_hard_one() {
        let shares = raise_descriptor_limit();
        let limit = getrlimit(Resource::Nofile);
        assert_eq!(limit.current, limit.maximum);
        assert_eq!(shares, split(limit.current.unwrap_or(UNLIMITED)));
    }
}
