import { defineConfig } from "vite";

// The page sends to its own origin, and whoever serves it hands that on: VictoriaMetrics does not let pages of other origins import.
const server = process.env.VICTORIA_METRICS_URL ?? "http://localhost:8428";
const proxy = { "/victoriametrics": { target: server, rewrite: (path) => path.replace("/victoriametrics", "") } };

export default defineConfig({ server: { proxy }, preview: { proxy } });
