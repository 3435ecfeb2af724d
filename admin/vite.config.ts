// The admin panel at /admin/: `npm run build` makes dist/panel, `npm run dev` serves it over a server on its usual port.
import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";
import { precompress, WITHOUT_INLINE } from "./build/precompress.ts";

export default defineConfig({
  root: "panel",
  base: "/admin/",
  plugins: [react(), precompress("dist/panel/assets")],
  // The host stays the page's own, which the server compares with the origin.
  server: { proxy: { "/graphql": { target: process.env.SNAPHAVEN_URL ?? "http://127.0.0.1:8080", ws: true } } },
  build: {
    ...WITHOUT_INLINE,
    outDir: "../dist/panel",
    rolldownOptions: {
      onLog(level, log, report) {
        // "use client" means nothing without a server that renders.
        if (log.code !== "MODULE_LEVEL_DIRECTIVE") report(level, log);
      },
    },
  },
});
