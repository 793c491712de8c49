//! A directed graph and its strongly connected components, without recursion.

/// Edges in the order of their sources.
#[derive(Debug)]
pub(super) struct Graph {
    starts: Vec<usize>,
    targets: Vec<u32>,
}

const UNSEEN: u32 = u32::MAX;

impl Graph {
    /// `nodes` nodes, and edges from the first to the second.
    pub(super) fn new(nodes: usize, edges: &[&[(u32, u32)]]) -> Self {
        let mut starts = vec![0_usize; nodes + 1];
        for (from, _) in edges.iter().flat_map(|edges| edges.iter()) {
            starts[*from as usize + 1] += 1;
        }
        for node in 0..nodes {
            starts[node + 1] += starts[node];
        }
        let mut next = starts.clone();
        let mut targets = vec![0; starts[nodes]];
        for (from, to) in edges.iter().flat_map(|edges| edges.iter()) {
            targets[next[*from as usize]] = *to;
            next[*from as usize] += 1;
        }
        Graph { starts, targets }
    }

    /// The number of its component for each node, and how many nodes each component has (Tarjan).
    pub(super) fn components(&self) -> (Vec<u32>, Vec<u32>) {
        let nodes = self.starts.len() - 1;
        let mut search = Search {
            index: vec![UNSEEN; nodes],
            low: vec![0; nodes],
            component: vec![UNSEEN; nodes],
            sizes: Vec::new(),
            stack: Vec::new(),
            next_index: 0,
        };
        let mut path: Vec<(u32, usize)> = Vec::new();
        for root in 0..nodes as u32 {
            if search.index[root as usize] != UNSEEN {
                continue;
            }
            search.enter(root);
            path.push((root, self.starts[root as usize]));
            while let Some((node, edge)) = path.last_mut() {
                let node = *node as usize;
                if *edge == self.starts[node + 1] {
                    path.pop();
                    search.leave(node as u32);
                    if let Some((parent, _)) = path.last() {
                        let parent = *parent as usize;
                        search.low[parent] = search.low[parent].min(search.low[node]);
                    }
                    continue;
                }
                let target = self.targets[*edge];
                *edge += 1;
                if search.index[target as usize] == UNSEEN {
                    search.enter(target);
                    path.push((target, self.starts[target as usize]));
                } else if search.component[target as usize] == UNSEEN {
                    search.low[node] = search.low[node].min(search.index[target as usize]);
                }
            }
        }
        (search.component, search.sizes)
    }
}

struct Search {
    index: Vec<u32>,
    low: Vec<u32>,
    component: Vec<u32>,
    sizes: Vec<u32>,
    stack: Vec<u32>,
    next_index: u32,
}

impl Search {
    fn enter(&mut self, node: u32) {
        (self.index[node as usize], self.low[node as usize]) = (self.next_index, self.next_index);
        self.next_index += 1;
        self.stack.push(node);
    }

    fn leave(&mut self, node: u32) {
        if self.low[node as usize] != self.index[node as usize] {
            return;
        }
        let number = self.sizes.len() as u32;
        let mut size = 0;
        while let Some(member) = self.stack.pop() {
            self.component[member as usize] = number;
            size += 1;
            if member == node {
                break;
            }
        }
        self.sizes.push(size);
    }
}
