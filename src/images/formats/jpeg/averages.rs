//! A baseline JPEG without its details: every block keeps its average (the DC coefficient) and loses the rest, which a
//! decoder at 1/8 scale does not look at but has to wade through, code by code. Here several codes are skipped at once.

use super::bits::{Reader, Writer};

/// Bits looked at to skip several codes at once; the table of each component stays in the fastest cache.
const WINDOW: u32 = 12;
/// Fewer bits than these a block, and there is little to skip.
const WORTHWHILE: u64 = 36;
/// The code that ends a block early (T.81, section F.1.2.2.1).
const END_OF_BLOCK: u8 = 0;

/// The file without details. `None` where it is not worth it, and for whatever is not plainly baseline and whole: the decoder
/// says what is wrong with it.
pub(super) fn only(data: &[u8]) -> Option<Vec<u8>> {
    let scan = Scan::find(data)?;
    let blocks = u64::from(scan.units) * scan.blocks.len() as u64;
    if 8 * (data.len() as u64) < WORTHWHILE * blocks {
        return None;
    }
    let mut writer = Writer::after(data.get(..scan.start)?, data.len());
    let mut reader = Reader::new(data, scan.start);
    for _ in 0..scan.units {
        for (dc, ac) in &scan.blocks {
            let (dc, ac) = (scan.dc[usize::from(*dc)].as_ref()?, scan.ac[usize::from(*ac)].as_ref()?);
            reader.fill();
            // The average's code and value stand as they are.
            let step = dc.step(reader.peek())?;
            writer.put(reader.peek() >> (64 - step.bits), step.bits);
            reader.skip(step.bits)?;
            ac.skip_block(&mut reader)?;
            writer.put(ac.end.0, ac.end.1);
        }
        if writer.len() > data.len() {
            return None;
        }
    }
    (reader.end()? == 0xd9).then(|| writer.finish())
}

/// Where the one scan of all components starts, and how it is coded.
struct Scan {
    start: usize,
    /// Least coded units (section A.2.3).
    units: u32,
    /// For each block of a unit: its tables for the average and for the rest.
    blocks: Vec<(u8, u8)>,
    dc: [Option<Averages>; 4],
    ac: [Option<Details>; 4],
}

impl Scan {
    fn find(data: &[u8]) -> Option<Self> {
        let mut scan = Self { start: 0, units: 0, blocks: Vec::new(), dc: Default::default(), ac: Default::default() };
        let mut frame: Option<&[u8]> = None;
        let mut at = 2;
        loop {
            let [0xff, marker, high, low] = *data.get(at..)?.first_chunk()? else { return None };
            let end = at + 2 + usize::from(u16::from_be_bytes([high, low]));
            let body = data.get(at + 4..end)?;
            match marker {
                0xc0 | 0xc1 if frame.is_none() => frame = Some(body),
                0xc4 => scan.tables(body)?,
                0xc0..=0xcf => return None,
                0xda => {
                    scan.start = end;
                    scan.lay_out(frame?, body)?;
                    return Some(scan);
                }
                0xe0..=0xef | 0xdb | 0xfe => {}
                // Restart intervals (0xdd) among others: left to the decoder.
                _ => return None,
            }
            at = end;
        }
    }

    /// Huffman tables (section B.2.4.2), several to a segment.
    fn tables(&mut self, mut body: &[u8]) -> Option<()> {
        while let Some((head, rest)) = body.split_first_chunk::<17>() {
            let count: usize = head[1..].iter().map(|count| usize::from(*count)).sum();
            let (symbols, rest) = rest.split_at_checked(count)?;
            let codes = Codes::new(&head[1..], symbols)?;
            let place = usize::from(head[0] & 15);
            match head[0] >> 4 {
                0 => *self.dc.get_mut(place)? = Some(Averages { codes }),
                1 => *self.ac.get_mut(place)? = Some(Details::new(codes)?),
                _ => return None,
            }
            body = rest;
        }
        body.is_empty().then_some(())
    }

    /// Which blocks a unit has, by the frame header (section B.2.2) and the scan header (section B.2.3).
    fn lay_out(&mut self, frame: &[u8], scan: &[u8]) -> Option<()> {
        let ([8, h1, h0, w1, w0, count], components) = frame.split_first_chunk()? else { return None };
        let (components, scanned) = (components.as_chunks::<3>().0, scan.get(1..)?.as_chunks::<2>().0);
        if scan.first()? != count || components.len() != usize::from(*count) {
            return None;
        }
        let (mut across, mut down) = (1, 1);
        for ([id, factors, _], [scanned, tables]) in components.iter().zip(scanned) {
            let (horizontal, vertical) = (factors >> 4, factors & 15);
            if id != scanned || !(1..=4).contains(&horizontal) || !(1..=4).contains(&vertical) {
                return None;
            }
            // The blocks of a single component are not grouped.
            let alone = *count == 1;
            let blocks = if alone { 1 } else { horizontal * vertical };
            self.blocks.extend(std::iter::repeat_n((tables >> 4 & 3, tables & 3), blocks.into()));
            if !alone {
                (across, down) = (across.max(horizontal), down.max(vertical));
            }
        }
        let units =
            |high: u8, low: u8, blocks: u8| u32::from(u16::from_be_bytes([high, low])).div_ceil(8 * u32::from(blocks));
        self.units = units(*w1, *w0, across) * units(*h1, *h0, down);
        (self.units > 0 && !self.blocks.is_empty() && self.blocks.len() <= 10).then_some(())
    }
}

/// A Huffman code with the bits of the value that follows it.
#[derive(Clone, Copy, Default)]
struct Step {
    /// Of code and value together; 0 where there is no such code.
    bits: u32,
    /// Of the code alone.
    code: u32,
    symbol: u8,
}

/// The codes of a table by their length (section C.2).
struct Codes {
    /// First code of each length, aligned to the left of 16 bits; how many codes there are, and where their symbols start.
    lengths: Vec<(u32, u32, u32, usize)>,
    symbols: Vec<u8>,
    /// The step for each beginning of [`WINDOW`] bits that holds a whole code.
    short: Vec<Step>,
}

impl Codes {
    fn new(counts: &[u8], symbols: &[u8]) -> Option<Self> {
        let (mut code, mut first) = (0_u32, 0);
        let mut lengths = Vec::new();
        for (length, count) in (1..).zip(counts) {
            let count = u32::from(*count);
            if count > 0 {
                lengths.push((length, code << (16 - length), count, first));
                first += count as usize;
                code += count;
            }
            if code > 1 << length {
                return None;
            }
            code <<= 1;
        }
        let mut codes = Self { lengths, symbols: symbols.to_vec(), short: Vec::new() };
        let short = |window: u64| codes.search(window << (64 - WINDOW)).filter(|step| step.code <= WINDOW);
        codes.short = (0..1 << WINDOW).map(|window| short(window).unwrap_or_default()).collect();
        Some(codes)
    }

    /// The first code of these bits, which stand at the left.
    fn step(&self, bits: u64) -> Option<Step> {
        let short = self.short.get((bits >> (64 - WINDOW)) as usize).filter(|step| step.bits > 0);
        short.copied().or_else(|| self.search(bits))
    }

    fn search(&self, bits: u64) -> Option<Step> {
        let bits = u32::try_from(bits >> 48).ok()?;
        let (length, start, _, first) = self
            .lengths
            .iter()
            .find(|(length, start, count, _)| bits >= *start && bits - start < count << (16 - length))?;
        let symbol = *self.symbols.get(first + ((bits - start) >> (16 - length)) as usize)?;
        Some(Step { bits: length + u32::from(symbol & 15), code: *length, symbol })
    }
}

/// The table of a component's averages.
struct Averages {
    codes: Codes,
}

impl Averages {
    fn step(&self, bits: u64) -> Option<Step> {
        // A difference has 11 bits at the most (table F.1).
        self.codes.step(bits).filter(|step| step.symbol <= 11)
    }
}

/// The table of a component's details, and what skipping by [`WINDOW`] bits comes to.
struct Details {
    codes: Codes,
    /// Bits to skip, coefficients they stand for, and whether the block ends there; no bits where the code is too long.
    jumps: Vec<(u8, u8, bool)>,
    /// The code that ends a block, and its length.
    end: (u64, u32),
}

impl Details {
    fn new(codes: Codes) -> Option<Self> {
        let mut end = None;
        let jumps = (0..1_u64 << WINDOW).map(|window| {
            let (mut bits, mut coefficients) = (0, 0);
            while bits < WINDOW {
                // Beyond the window nothing is known: a code must end within.
                let step = codes.step(window << (64 - WINDOW) << bits).filter(|step| bits + step.code <= WINDOW);
                let Some(step) = step else { break };
                if step.symbol == END_OF_BLOCK {
                    if bits == 0 {
                        end = Some((window >> (WINDOW - step.code), step.code));
                    }
                    return (bits + step.code, coefficients, true);
                }
                bits += step.bits;
                coefficients += u32::from(step.symbol >> 4) + 1;
            }
            (bits, coefficients, false)
        });
        let small = |(bits, coefficients, ends): (u32, u32, bool)| {
            Some((u8::try_from(bits).ok()?, u8::try_from(coefficients).ok()?, ends))
        };
        let jumps = jumps.map(small).collect::<Option<_>>()?;
        Some(Self { codes, jumps, end: end? })
    }

    /// Skips the 63 coefficients behind an average.
    fn skip_block(&self, reader: &mut Reader<'_>) -> Option<()> {
        let mut coefficient = 1;
        while coefficient < 64 {
            reader.fill();
            let bits = reader.peek();
            let (length, coefficients, ends) = *self.jumps.get((bits >> (64 - WINDOW)) as usize)?;
            if length > 0 && coefficient + u32::from(coefficients) <= 64 - u32::from(ends) {
                reader.skip(length.into())?;
                coefficient += u32::from(coefficients);
                if ends {
                    return Some(());
                }
                continue;
            }
            // A long code, or the last of a block that fills all 64: one at a time.
            let step = self.codes.step(bits)?;
            reader.skip(step.bits)?;
            if step.symbol == END_OF_BLOCK {
                return Some(());
            }
            coefficient += u32::from(step.symbol >> 4) + 1;
        }
        (coefficient == 64).then_some(())
    }
}
