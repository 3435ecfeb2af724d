import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { brotliCompressSync } from "node:zlib";
import react from "@vitejs/plugin-react";
import { defineConfig, type Plugin } from "vite";

/** Writes a brotli-compressed copy beside each asset, which the server sends to browsers that take it. */
function precompress(folder: string): Plugin {
  return {
    name: "precompress",
    apply: "build",
    closeBundle() {
      for (const name of readdirSync(folder)) {
        if (/\.(js|css|ttf)$/.test(name)) {
          const path = join(folder, name);
          writeFileSync(`${path}.br`, brotliCompressSync(readFileSync(path)));
        }
      }
    },
  };
}

export default defineConfig({
  root: "graphiql",
  base: "/graphiql/",
  plugins: [react(), precompress("dist/graphiql/assets")],
  build: {
    outDir: "../dist/graphiql",
    emptyOutDir: true,
    // The page's content security policy takes no inline scripts.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 6000,
    rolldownOptions: {
      // React Compiler's "use no memo" means nothing once compiled.
      onLog(level, log, report) {
        if (log.code !== "MODULE_LEVEL_DIRECTIVE") report(level, log);
      },
    },
  },
  worker: { format: "es" },
});
