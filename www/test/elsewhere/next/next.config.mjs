export default { output: "export", basePath: "/next", distDir: "../built/next", turbopack: { root: `${import.meta.dirname}/..` } };
