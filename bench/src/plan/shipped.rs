//! The plans that are part of the program.

/// Every shipped plan: its name and its text.
pub const SHIPPED: [(&str, &str); 7] = [
    ("quick", include_str!("../../plans/quick.toml")),
    ("akoush-fig1", include_str!("../../plans/akoush-fig1.toml")),
    ("akoush-table2", include_str!("../../plans/akoush-table2.toml")),
    ("itc", include_str!("../../plans/itc.toml")),
    ("bda", include_str!("../../plans/bda.toml")),
    ("markov", include_str!("../../plans/markov.toml")),
    ("peers", include_str!("../../plans/peers.toml")),
];
