// What both builds share: brotli copies of the assets, and the form that the content security policies ask for.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { brotliCompressSync } from "node:zlib";
import type { Plugin } from "vite";

/** Writes a brotli-compressed copy beside each asset, which the server sends to browsers that take it. */
export function precompress(folder: string): Plugin {
  return {
    name: "precompress",
    apply: "build",
    closeBundle() {
      for (const name of readdirSync(folder)) {
        if (/\.(js|css|svg|ttf)$/.test(name)) {
          const path = join(folder, name);
          writeFileSync(`${path}.br`, brotliCompressSync(readFileSync(path)));
        }
      }
    },
  };
}

/** The pages' content security policies take no inline scripts. */
export const WITHOUT_INLINE = { emptyOutDir: true, assetsInlineLimit: 0, modulePreload: { polyfill: false } };
