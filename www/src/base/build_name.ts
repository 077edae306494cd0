// Names the build, which build.mjs writes here. The page, its worker and the engine's code must be of one.

declare const SANDGLASS_BUILD: string;

export const BUILD = SANDGLASS_BUILD;
