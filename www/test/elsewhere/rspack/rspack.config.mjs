import { HtmlRspackPlugin } from "@rspack/core";

export default {
  entry: "./page.js",
  mode: "production",
  output: { path: `${import.meta.dirname}/../built/rspack` },
  plugins: [new HtmlRspackPlugin({ title: "-" })],
};
