//! Log directories, segments, indexes, recovery and group commit, over one disk seam.
