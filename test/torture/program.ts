import { ownProgram } from '../../src/base/own-files.js';

/** The program that is tortured. */
export const PROGRAM = ownProgram();
