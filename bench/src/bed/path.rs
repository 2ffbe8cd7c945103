//! What TCP says of a path while something is sent over it, by `ss(8)`.

use std::process::Command;

use serde::{Deserialize, Serialize};

use super::{Network, tool};
use crate::Error;

/// The facts of the busiest connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PathFacts {
    /// The path MTU, bytes.
    pub pmtu: u64,
    /// The maximum segment size, bytes of payload.
    pub mss: u64,
    /// Payload sent, bytes.
    pub sent: u64,
    /// Segments with payload.
    pub segments: u64,
    /// Bytes that were sent twice.
    pub resent: u64,
    /// The smallest round-trip time seen, milliseconds.
    pub min_rtt_ms: f64,
    /// The size of the send buffer, bytes.
    pub send_buffer: u64,
}

impl PathFacts {
    /// Looks at the connections of the source.
    ///
    /// # Errors
    /// When `ss` (package iproute2) cannot be run. `None` when nothing is being sent.
    pub fn look(network: &Network) -> Result<Option<Self>, Error> {
        let text =
            network.source.inside(|| tool(Command::new("ss").args(["-tinmOH", "state", "established"])))?;
        Ok(text.lines().map(Self::parse).max_by_key(|facts| facts.sent).filter(|facts| facts.sent > 0))
    }

    /// Payload of a segment on average, bytes.
    #[must_use]
    pub fn segment(&self) -> f64 {
        self.sent as f64 / self.segments.max(1) as f64
    }

    fn parse(line: &str) -> Self {
        let word = |key: &str| line.split_whitespace().find_map(|word| word.strip_prefix(key));
        let number = |key| word(key).and_then(|value| value.parse().ok()).unwrap_or(0);
        Self {
            pmtu: number("pmtu:"),
            mss: number("mss:"),
            sent: number("bytes_sent:"),
            segments: number("data_segs_out:"),
            resent: number("bytes_retrans:"),
            min_rtt_ms: word("minrtt:").and_then(|value| value.parse().ok()).unwrap_or(0.0),
            send_buffer: word("skmem:(").and_then(send_buffer).unwrap_or(0),
        }
    }
}

/// The `tb` of `r0,rb131072,t0,tb87040,...`.
fn send_buffer(memory: &str) -> Option<u64> {
    memory.split(',').find_map(|part| part.strip_prefix("tb"))?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_ss_is_understood() {
        let line = "0 0 10.213.0.1:5 10.213.0.2:6 skmem:(r0,rb131072,t0,tb87040,f0,w0,o0,bl0,d0) cubic rtt:0.2/0.1 \
                    mss:8948 pmtu:9000 rcvmss:536 bytes_sent:89480 bytes_retrans:8948 data_segs_out:10 minrtt:0.03";
        let facts = PathFacts::parse(line);
        assert_eq!((facts.pmtu, facts.mss, facts.resent, facts.send_buffer), (9000, 8948, 8948, 87_040));
        assert!((facts.segment() - 8948.0).abs() < 1e-9 && facts.min_rtt_ms == 0.03);
        assert_eq!(PathFacts::parse("nonsense"), PathFacts::default());
    }
}
