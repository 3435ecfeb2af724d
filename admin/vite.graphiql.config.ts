// GraphiQL, a page of its own at /graphiql/: `npm run build` makes dist/graphiql.
import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";
import { precompress, WITHOUT_INLINE } from "./build/precompress.ts";

export default defineConfig({
  root: "graphiql",
  base: "/graphiql/",
  plugins: [react(), precompress("dist/graphiql/assets")],
  build: {
    ...WITHOUT_INLINE,
    outDir: "../dist/graphiql",
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
