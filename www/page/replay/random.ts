// Numbers that look random and are the same for the same seed.

export interface Random {
  /** In [0, 1). */
  uniform(): number;
  /** Normal: mean 0, deviation 1. */
  normal(): number;
  /** Where it is; whoever calls what is answered has it go on from there. */
  hold(): () => void;
}

/** SplitMix32-like mixing of a counter: a few operations a number, plenty for a drawing. */
export function seeded(seed: number): Random {
  let state = seed >>> 0;
  let spare = Number.NaN;
  const uniform = () => {
    state = (state + 0x9e3779b9) >>> 0;
    let mixed = state;
    mixed = Math.imul(mixed ^ (mixed >>> 16), 0x21f0aaad);
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97);
    return ((mixed ^ (mixed >>> 15)) >>> 0) / 4294967296;
  };
  const normal = () => {
    if (!Number.isNaN(spare)) {
      const kept = spare;
      spare = Number.NaN;
      return kept;
    }
    // Marsaglia's polar method gives two at a time.
    for (;;) {
      const x = uniform() * 2 - 1;
      const y = uniform() * 2 - 1;
      const square = x * x + y * y;
      if (square > 0 && square < 1) {
        const scale = Math.sqrt((-2 * Math.log(square)) / square);
        spare = y * scale;
        return x * scale;
      }
    }
  };
  const hold = () => {
    const held = [state, spare] as const;
    return () => {
      [state, spare] = held;
    };
  };
  return { uniform, normal, hold };
}
