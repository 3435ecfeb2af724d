// Renders one picture with sharp each time a line arrives, and answers with what it cost.
// Usage: node sharp.js <input> <square|fit> <side> <jpeg|webp>
// Answers, one JSON object a line: { cpu: milliseconds of user and system time, memory: bytes above idle at the most, bytes, width, height }
import { readFileSync, writeFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import sharp from 'sharp';

const [input, shape, side, format] = process.argv.slice(2);
sharp.concurrency(1);
sharp.cache(false);

const status = (name) => 1024 * Number(readFileSync('/proc/self/status', 'utf8').match(`${name}:\\s*(\\d+)`)[1]);

async function render(source) {
  const length = Number(side);
  const options = shape === 'square' ? { fit: 'cover' } : { fit: 'inside', withoutEnlargement: true };
  const picture = sharp(source).autoOrient().resize(length, length, options);
  return (format === 'webp' ? picture.webp({ quality: 80 }) : picture.jpeg({ quality: 82 })).toBuffer({ resolveWithObject: true });
}

// Loads the library's code before memory is measured.
await render(await sharp({ create: { width: 64, height: 64, channels: 4, background: '#abc8' } }).png().toBuffer());
// Forgets the high-water mark of loading.
writeFileSync('/proc/self/clear_refs', '5');
const idle = status('VmRSS');
console.log(JSON.stringify({ version: sharp.versions.sharp, vips: sharp.versions.vips }));

for await (const _ of createInterface({ input: process.stdin })) {
  const before = process.cpuUsage();
  const { data, info } = await render(input);
  const { user, system } = process.cpuUsage(before);
  const memory = status('VmHWM') - idle;
  console.log(JSON.stringify({ cpu: (user + system) / 1000, memory, bytes: data.length, width: info.width, height: info.height }));
}
