//! The states of a classic group.

/// Where a classic group stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ClassicState {
    /// No members. A first member's join leads to PreparingRebalance; deletion or expiry end the group.
    Empty,
    /// Members are called to join again. Ends when all have, or the rebalance timeout is over: CompletingRebalance, or
    /// Empty where nobody is left.
    PreparingRebalance,
    /// The generation is fixed, and the leader's assignment awaited. The leader's SyncGroup leads to Stable; a join, a
    /// leave or an expiry back to PreparingRebalance.
    CompletingRebalance,
    /// Every member has its assignment or can fetch it. A join, a leave or an expiry leads to PreparingRebalance.
    Stable,
    /// The group does not exist (any more).
    Dead,
}

impl ClassicState {
    /// The name clients see.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Empty => "Empty",
            Self::PreparingRebalance => "PreparingRebalance",
            Self::CompletingRebalance => "CompletingRebalance",
            Self::Stable => "Stable",
            Self::Dead => "Dead",
        }
    }

    /// Whether a group may come into this state from `previous`.
    pub(crate) fn may_follow(self, previous: Self) -> bool {
        match self {
            Self::Empty | Self::CompletingRebalance => previous == Self::PreparingRebalance,
            Self::PreparingRebalance => {
                matches!(previous, Self::Stable | Self::CompletingRebalance | Self::Empty)
            }
            Self::Stable => previous == Self::CompletingRebalance,
            Self::Dead => true,
        }
    }
}
