//! What two ends say of further connections for the same guest's pages.
//!
//! The source says in the libxl stream how many lanes there are, the connection that says so among them, and names a
//! token. Then it opens the others, and each starts with a greeting: the token, and which lane it is. What follows there
//! is a libxc stream of [`StreamUse::Lane`](crate::libxc::StreamUse::Lane).

use byteorder::{ByteOrder, LE};

use crate::Fault;

/// The most lanes that a guest may have.
pub const MAX_LANES: u32 = 16;
/// Bytes of a greeting.
pub const GREETING_LEN: usize = 32;
/// Bytes of a token.
pub const TOKEN_LEN: usize = 16;
/// Bytes of the record's body: count, token.
const BODY_LEN: usize = 4 + TOKEN_LEN;
/// What a greeting starts with.
const MAGIC: &[u8; 8] = b"xc-lane\n";

/// The lanes of one guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lanes {
    /// How many, from 2 to [`MAX_LANES`].
    pub count: u32,
    /// What tells the connections of this guest from others: nobody can guess it.
    pub token: [u8; TOKEN_LEN],
}

impl Lanes {
    /// What the connection starts with that is lane `number`.
    #[must_use]
    pub fn greeting(&self, number: u32) -> [u8; GREETING_LEN] {
        let mut greeting = [0; GREETING_LEN];
        greeting[..8].copy_from_slice(MAGIC);
        greeting[8..24].copy_from_slice(&self.token);
        LE::write_u32(&mut greeting[24..], number);
        greeting
    }

    /// Which lane a connection is; `None` when it is not one of these.
    #[must_use]
    pub fn greeted(&self, greeting: &[u8; GREETING_LEN]) -> Option<u32> {
        let number = LE::read_u32(&greeting[24..]);
        let right = (1..self.count).contains(&number) && *greeting == self.greeting(number);
        right.then_some(number)
    }

    pub(crate) fn body(&self) -> Vec<u8> {
        [&self.count.to_le_bytes()[..], &self.token].concat()
    }

    pub(crate) fn decode(body: &[u8]) -> Result<Self, Fault> {
        let length = body.len() as u64;
        let body: &[u8; BODY_LEN] =
            body.try_into().map_err(|_| Fault::Length { length, expected: BODY_LEN as u64 })?;
        let mut token = [0; TOKEN_LEN];
        token.copy_from_slice(&body[4..]);
        Ok(Self { count: LE::read_u32(body), token })
    }

    pub(crate) fn check(&self) -> Result<(), Fault> {
        if (2..=MAX_LANES).contains(&self.count) { Ok(()) } else { Err(Fault::Lanes(self.count)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LANES: Lanes = Lanes { count: 3, token: *b"0123456789abcdef" };

    #[test]
    fn a_greeting_is_of_one_guest_and_one_lane() {
        assert_eq!(LANES.greeted(&LANES.greeting(2)), Some(2));
        assert_eq!(LANES.greeted(&LANES.greeting(0)), None, "the first has no greeting");
        assert_eq!(LANES.greeted(&LANES.greeting(3)), None);
        let other = Lanes { token: *b"0123456789abcdeF", ..LANES };
        assert_eq!(LANES.greeted(&other.greeting(1)), None);
        let mut long = LANES.greeting(1);
        long[31] = 1;
        assert_eq!(LANES.greeted(&long), None);
    }
}
