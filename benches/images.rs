//! Renditions beside sharp (npm, libvips), one thread each, on the same generated pictures: processor time and memory.
//!
//! Both run as processes of their own and take turns, so that a busy machine slows both alike. `cargo bench --bench
//! images` runs everything; an argument filters the rows. Without Node 20 only our side is measured.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a bench that cannot go on has failed")]

#[path = "support/table.rs"]
mod table;

use std::{
    fs,
    io::{BufRead, BufReader, Lines, Write},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    time::Duration,
};

use criterion::Criterion;
use entity::rendition::Size;
use snaphaven::{
    config::Config,
    images::{Images, Rendered},
};
use table::{Row, Target};

/// Turns each side takes; the medians count.
const TURNS: usize = 9;

const MIB: f64 = 1024.0 * 1024.0;

/// One picture and what is made of it.
struct Case {
    what: &'static str,
    input: Input,
    size: Size,
    /// Of sharp's processor time, at the most.
    time: Option<f64>,
    /// MiB above idle, at the most.
    memory: Option<f64>,
}

#[derive(Clone, Copy, PartialEq)]
enum Input {
    /// 24 MP, 4:2:0, quality 88; noise of this strength.
    Jpeg(u8),
    ProgressiveJpeg(u8),
    /// 12 MP, RGBA, adaptive filters.
    Png(u8),
    /// 12 MP, lossy, opaque.
    Webp(u8),
}

/// Noise of 4 is a photograph in daylight, of 16 one by night.
const CASES: [Case; 7] = [
    case("24 MP JPEG → 150 px", Input::Jpeg(4), Size::Square150, Some(0.85), Some(15.0)),
    case("24 MP JPEG → 320 px", Input::Jpeg(4), Size::Fit320, Some(0.85), Some(15.0)),
    case("24 MP noisy JPEG → 150 px", Input::Jpeg(16), Size::Square150, Some(0.85), None),
    case("24 MP noisy JPEG → 320 px", Input::Jpeg(16), Size::Fit320, Some(0.85), None),
    case("24 MP progressive JPEG → 320 px", Input::ProgressiveJpeg(4), Size::Fit320, None, None),
    case("12 MP RGBA PNG → 320 px WebP", Input::Png(4), Size::Fit320, Some(0.65), None),
    case("12 MP WebP → 320 px", Input::Webp(4), Size::Fit320, Some(0.75), None),
];

const fn case(what: &'static str, input: Input, size: Size, time: Option<f64>, memory: Option<f64>) -> Case {
    Case { what, input, size, time, memory }
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    if let [word, input, side] = arguments.as_slice()
        && word == "render"
    {
        return render_on_demand(Path::new(input), side);
    }
    let wanted = |case: &Case| arguments.iter().all(|word| word.starts_with('-') || case.what.contains(word.as_str()));
    let folder = tempfile::tempdir().expect("a temporary folder");
    let sharp = sharp();
    let mut rows = Vec::new();
    let mut criterion = Criterion::default().sample_size(10).measurement_time(Duration::from_secs(2)).without_plots();
    for case in CASES.iter().filter(|case| wanted(case)) {
        let input = case.input.write(folder.path());
        let (ours, peer) = take_turns(case, &input, sharp.as_deref());
        rows.extend(case.rows(&ours, peer.as_ref()));
        // Wall time with its spread, and the change since the last run.
        let (images, runtime) = door();
        criterion.bench_function(case.what, |bencher| {
            bencher.iter(|| runtime.block_on(images.render(input.clone(), &[case.size])).expect("a rendition"));
        });
    }
    let peer = sharp.map_or("sharp", |_| "sharp 0.35");
    table::print("Renditions: processor time and memory, one thread", peer, &rows);
}

/// What one process measured, turn by turn.
#[derive(Default)]
struct Readings {
    /// Milliseconds of processor time, user and system.
    cpu: Vec<f64>,
    /// Bytes above idle at the most.
    memory: f64,
}

fn take_turns(case: &Case, input: &Path, sharp: Option<&Path>) -> (Readings, Option<Readings>) {
    let side = case.side().to_string();
    let own = std::env::current_exe().expect("this program");
    let mut ours = Renderer::start(Command::new(own).arg("render").arg(input).arg(&side));
    let mut theirs = sharp.map(|script| {
        let shape = if case.size == Size::Square150 { "square" } else { "fit" };
        let format = if matches!(case.input, Input::Png(_)) { "webp" } else { "jpeg" };
        let mut node = Command::new("node");
        Renderer::start(node.arg(script).arg(input).args([shape, &side, format]).env("VIPS_CONCURRENCY", "1"))
    });
    for _ in 0..TURNS {
        let shape = ours.turn();
        if let Some(theirs) = &mut theirs {
            assert_eq!(theirs.turn(), shape, "both made the same of {}", case.what);
        }
    }
    (ours.readings, theirs.map(|theirs| theirs.readings))
}

/// A process that renders one picture each time it is asked.
struct Renderer {
    _process: Child,
    ask: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
    readings: Readings,
}

impl Renderer {
    fn start(command: &mut Command) -> Self {
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("a renderer starts");
        let (ask, answers) = (process.stdin.take().unwrap(), BufReader::new(process.stdout.take().unwrap()).lines());
        let mut renderer = Self { _process: process, ask, answers, readings: Readings::default() };
        renderer.answer();
        renderer
    }

    fn answer(&mut self) -> serde_json::Value {
        let line = self.answers.next().expect("an answer").expect("text");
        serde_json::from_str(&line).expect("JSON")
    }

    /// Renders once, and says the sides of what was made.
    fn turn(&mut self) -> (u64, u64) {
        writeln!(self.ask).expect("it listens");
        let answer = self.answer();
        assert!(answer["bytes"].as_u64().unwrap() > 500, "a picture came out");
        self.readings.cpu.push(answer["cpu"].as_f64().unwrap());
        self.readings.memory = self.readings.memory.max(answer["memory"].as_f64().unwrap());
        (answer["width"].as_u64().unwrap(), answer["height"].as_u64().unwrap())
    }
}

impl Case {
    fn side(&self) -> u32 {
        match self.size {
            Size::Square150 => 150,
            Size::Fit320 => 320,
            Size::Fit1280 => 1280,
        }
    }

    fn rows(&self, ours: &Readings, peer: Option<&Readings>) -> [Row; 2] {
        let time = Row {
            what: self.what.to_owned(),
            unit: "ms",
            ours: median(&ours.cpu),
            peer: peer.map(|peer| median(&peer.cpu)),
            target: self.time.map_or(Target::None, Target::Ratio),
        };
        let memory = Row {
            what: "  memory above idle".to_owned(),
            unit: "MiB",
            ours: ours.memory / MIB,
            peer: peer.map(|peer| peer.memory / MIB),
            target: self.memory.map_or(Target::None, Target::Limit),
        };
        [time, memory]
    }
}

/// Our side: answers each line on the standard input with what one rendition cost.
fn render_on_demand(input: &Path, side: &str) {
    let (images, runtime) = door();
    let size = match side {
        "150" => Size::Square150,
        "320" => Size::Fit320,
        _ => Size::Fit1280,
    };
    let render =
        |path: PathBuf| -> Rendered { runtime.block_on(images.render(path, &[size])).expect("a rendition").remove(0) };
    // Loads the code before memory is measured, as the peer does.
    let small = tempfile::NamedTempFile::new().expect("a temporary file");
    fs::write(small.path(), snaphaven::images::generate::rgba_png(1, 64, 64).unwrap()).expect("a small picture");
    render(small.path().to_owned());
    fs::write("/proc/self/clear_refs", "5").expect("Linux forgets the high-water mark");
    let idle = status("VmRSS");
    println!("{{}}");
    for _ in std::io::stdin().lines() {
        let before = cpu();
        let Rendered { bytes, width, height, .. } = render(input.to_owned());
        let cpu = (cpu() - before).as_secs_f64() * 1000.0;
        let memory = status("VmHWM").saturating_sub(idle);
        println!(r#"{{"cpu":{cpu},"memory":{memory},"bytes":{},"width":{width},"height":{height}}}"#, bytes.len());
    }
}

fn door() -> (Images, tokio::runtime::Runtime) {
    let config: Config = toml::from_str(snaphaven::config::DEFAULTS).expect("the defaults are sound");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    (Images::new((&config.images).into()), runtime)
}

/// Bytes of this process by a line of its status.
fn status(name: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("Linux says");
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).expect("the line is there");
    1024 * line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number")
}

/// What every thread of this process has spent on the processor, user and system.
fn cpu() -> Duration {
    let tasks = fs::read_dir("/proc/self/task").expect("Linux says");
    let spent = tasks.filter_map(|task| {
        let text = fs::read_to_string(task.ok()?.path().join("schedstat")).ok()?;
        text.split_whitespace().next()?.parse::<u64>().ok()
    });
    Duration::from_nanos(spent.sum())
}

/// The script that runs sharp, once Node and the pinned package are there.
fn sharp() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/js");
    let succeeds = |command: &mut Command| command.stdout(Stdio::null()).status().is_ok_and(|status| status.success());
    let installed = || folder.join("node_modules/sharp").exists();
    if !succeeds(Command::new("node").arg("--version"))
        || !(installed() || succeeds(Command::new("npm").args(["ci", "--loglevel=error", "--prefix"]).arg(&folder)))
    {
        println!("▸ not compared: sharp needs Node 20 or later with npm");
        return None;
    }
    Some(folder.join("sharp.js"))
}

impl Input {
    /// Writes the picture, once, and says where.
    fn write(self, folder: &Path) -> PathBuf {
        let name = match self {
            Self::Jpeg(noise) => format!("{noise}.jpg"),
            Self::ProgressiveJpeg(noise) => format!("{noise}-progressive.jpg"),
            Self::Png(noise) => format!("{noise}.png"),
            Self::Webp(noise) => format!("{noise}.webp"),
        };
        let path = folder.join(name);
        if !path.exists() {
            let bytes = self.encode();
            println!("▸ {}: {:.1} MiB", path.file_name().unwrap().display(), bytes.len() as f64 / MIB);
            fs::write(&path, bytes).expect("the temporary folder has room");
        }
        path
    }

    fn encode(self) -> Vec<u8> {
        match self {
            Self::Jpeg(noise) => jpeg(noise, false),
            Self::ProgressiveJpeg(noise) => jpeg(noise, true),
            Self::Png(noise) => png(noise),
            Self::Webp(noise) => {
                let rgb = photo(4000, 3000, noise, 3);
                webpx::Encoder::new_rgb(&rgb, 4000, 3000).quality(80.0).encode(webpx::Unstoppable).unwrap()
            }
        }
    }
}

fn jpeg(noise: u8, progressive: bool) -> Vec<u8> {
    let (width, height) = (6000, 4000);
    let pixels = photo(6000, 4000, noise, 3);
    let mut compressor = turbojpeg::Compressor::new().unwrap();
    compressor.set_quality(88).unwrap();
    compressor.set_subsamp(turbojpeg::Subsamp::Sub2x2).unwrap();
    compressor.set_progressive(progressive).unwrap();
    let format = turbojpeg::PixelFormat::RGB;
    compressor
        .compress_to_vec(turbojpeg::Image { pixels: &pixels[..], width, pitch: width * 3, height, format })
        .unwrap()
}

fn png(noise: u8) -> Vec<u8> {
    let mut pixels = photo(4000, 3000, noise, 4);
    // A soft edge on the left, as of a cut-out.
    for row in pixels.chunks_exact_mut(4 * 4000) {
        for (x, pixel) in row.as_chunks_mut::<4>().0.iter_mut().enumerate() {
            pixel[3] = u8::try_from(x * 255 / 1000).unwrap_or(u8::MAX);
        }
    }
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, 4000, 3000);
    encoder.set_color(png::ColorType::Rgba);
    encoder.set_compression(png::Compression::Balanced);
    encoder.write_header().unwrap().write_image_data(&pixels).unwrap();
    file
}

/// Rows of `channels` bytes a pixel: slow gradients, hard-edged shapes and waves of many lengths under noise.
///
/// The noise of each sample is the sum of two even throws within ± `noise` / 2: triangular, with a standard deviation of `noise` / √6.
fn photo(width: u32, height: u32, noise: u8, channels: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut throw = move || {
        // xorshift64* (Vigna 2016).
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        let bits = state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 40;
        let even = |bits: u64| (bits & 0xfff) as f32 / 4096.0 - 0.5;
        (even(bits) + even(bits >> 12)) * f32::from(noise)
    };
    let (w, h) = (width as f32, height as f32);
    let wave: Vec<f32> = (0..width).map(|x| ((x as f32 / 37.0).sin() + (x as f32 / 8.3).sin()) * 9.0).collect();
    let mut pixels = Vec::with_capacity(width as usize * height as usize * channels);
    for y in 0..height {
        let down = y as f32 / h;
        let ripple = ((y as f32 / 23.0).sin() + (y as f32 / 5.1).sin()) * 7.0;
        for x in 0..width {
            let across = x as f32 / w;
            let shape = if (x / 411 + y / 307) % 3 == 0 { 25.0 } else { 0.0 };
            let light = 60.0 + 70.0 * across + 50.0 * down + wave[x as usize] + ripple + shape;
            let color = [light, light * (1.1 - 0.3 * across), light * (0.7 + 0.3 * down)];
            pixels.extend(color.map(|sample| (sample + throw()).clamp(0.0, 255.0) as u8));
            if channels == 4 {
                pixels.push(u8::MAX);
            }
        }
    }
    pixels
}

fn median(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
