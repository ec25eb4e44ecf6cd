import { fileURLToPath } from 'node:url';

/** The program that is tortured. */
export const PROGRAM = fileURLToPath(new URL('../../src/main.js', import.meta.url));
