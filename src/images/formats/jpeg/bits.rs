//! The bits of a JPEG scan: a zero byte is stuffed behind each 0xff, so that no marker occurs by chance (T.81, section F.1.2.3).

/// Bits from the highest of each byte, up to the next marker.
pub(super) struct Reader<'a> {
    data: &'a [u8],
    at: usize,
    /// At the left of the word; zeros follow.
    bits: u64,
    held: u32,
}

impl<'a> Reader<'a> {
    pub fn new(data: &'a [u8], at: usize) -> Self {
        Self { data, at, bits: 0, held: 0 }
    }

    /// At least 48 bits, unless a marker is nearer.
    pub fn fill(&mut self) {
        if self.held >= 48 {
            return;
        }
        if let Some(next) = self.data.get(self.at..).and_then(|rest| rest.first_chunk()) {
            let next = u64::from_be_bytes(*next);
            // Whether any byte is 0xff: its complement is zero (Bit Twiddling Hacks, "haszero").
            let zero = !next;
            if zero.wrapping_sub(0x0101_0101_0101_0101) & next & 0x8080_8080_8080_8080 == 0 {
                let bytes = (64 - self.held) / 8;
                // Bits beyond the last whole byte are read again.
                let taken = if bytes == 8 { next } else { next >> (64 - 8 * bytes) << (64 - 8 * bytes) };
                self.bits |= taken >> self.held;
                self.held += 8 * bytes;
                self.at += bytes as usize;
                return;
            }
        }
        while self.held <= 56 {
            let byte = match self.data.get(self.at..) {
                Some([0xff, 0x00, ..]) => {
                    self.at += 2;
                    0xff
                }
                Some([0xff, ..] | []) | None => return,
                Some([byte, ..]) => {
                    self.at += 1;
                    *byte
                }
            };
            self.bits |= u64::from(byte) << (56 - self.held);
            self.held += 8;
        }
    }

    /// The next bits, at the left.
    pub fn peek(&self) -> u64 {
        self.bits
    }

    /// `None` where there are not so many before the next marker.
    pub fn skip(&mut self, bits: u32) -> Option<()> {
        self.held = self.held.checked_sub(bits)?;
        self.bits = self.bits.checked_shl(bits).unwrap_or_default();
        Some(())
    }

    /// The marker at which the bits end, padding apart.
    pub fn end(&self) -> Option<u8> {
        if self.held >= 8 {
            return None;
        }
        match self.data.get(self.at..)? {
            [0xff, marker, ..] if *marker != 0 => Some(*marker),
            _ => None,
        }
    }
}

/// A file whose scan is being written.
pub(super) struct Writer {
    file: Vec<u8>,
    bits: u64,
    held: u32,
}

impl Writer {
    /// Goes on behind `head`; the file will have no more than `most` bytes.
    pub fn after(head: &[u8], most: usize) -> Self {
        let mut file = Vec::with_capacity(most.max(head.len()));
        file.extend_from_slice(head);
        Self { file, bits: 0, held: 0 }
    }

    pub fn len(&self) -> usize {
        self.file.len()
    }

    /// The lowest `count` of `bits`, at most 32; the others are zero.
    pub fn put(&mut self, bits: u64, count: u32) {
        self.bits = self.bits << count | bits;
        self.held += count;
        while self.held >= 8 {
            self.held -= 8;
            #[expect(clippy::cast_possible_truncation, reason = "one byte of the word")]
            let byte = (self.bits >> self.held) as u8;
            self.file.push(byte);
            if byte == 0xff {
                self.file.push(0);
            }
        }
    }

    /// Fills the last byte with ones, as the specification has it, and ends the image.
    pub fn finish(mut self) -> Vec<u8> {
        let missing = (8 - self.held) % 8;
        self.put((1 << missing) - 1, missing);
        self.file.extend([0xff, 0xd9]);
        self.file
    }
}
