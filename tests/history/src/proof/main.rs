//! The checker itself proved: small histories with and without each anomaly, and bugs planted in a model of a broker.

mod cases;
mod cycles;
mod model;
mod planted;
mod written;
