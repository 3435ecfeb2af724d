// The command as a process.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";

const path = fileURLToPath(new URL("../bin/snaphaven-upload.js", import.meta.url));

/** @param {string[]} args @param {string} [token] */
export function command(args, token) {
  const { HAVEN_TOKEN: _, HAVEN_ENDPOINT: __, ...env } = process.env;
  if (token) env.HAVEN_TOKEN = token;
  return spawn(process.execPath, [path, ...args], { env, stdio: ["ignore", "pipe", "pipe"] });
}

/** Runs it to its end. @param {string[]} args @param {string} [token] */
export async function run(args, token) {
  const child = command(args, token);
  const [said, complained, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, "exit")]);
  return { code, said, complained };
}
