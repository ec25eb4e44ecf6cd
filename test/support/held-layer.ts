import { buildLayer } from './tar-builder.js';

/** The layer that `hold-layer.ts` takes in, with enough files for a kill to hit it in the middle. */
export const HELD_LAYER = buildLayer(
  Array.from({ length: 400 }, (_, number) => ({ path: `f${number}`, content: `held ${number}` })),
);
