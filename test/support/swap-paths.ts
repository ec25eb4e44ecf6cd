import { exchangePaths } from '../../src/sys/rename.js';

/* Swaps two paths for ever, as fast as it goes. */

const [, , first = '', second = ''] = process.argv;
for (;;) exchangePaths(first, second);
