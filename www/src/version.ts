// The package's version, which build.mjs writes here. A page and its worker must be of one.

declare const SANDGLASS_VERSION: string;

export const VERSION = SANDGLASS_VERSION;
