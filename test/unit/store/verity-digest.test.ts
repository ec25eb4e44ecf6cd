import assert from 'node:assert/strict';

import { verityDigest } from '../../../src/store/composefs/verity-digest.js';
import { each } from '../../support/each.js';

/* What the kernel measures of sealed files with these contents: Debian's fsverity(1) says the same (`fsverity digest`). */
each(
  'fs-verity measures of',
  [
    {
      name: 'nothing',
      bytes: 0,
      want: '3d248ca542a24fc62d1c43b916eae5016878e2533c88238480b26128a1f1af95',
    },
    {
      name: 'a byte',
      bytes: 1,
      want: 'dbbdfa9d606f7adeaa7f16dcfb0d49161c4cfb82d9d51cfb5cb43fa3dacb9e5b',
    },
    {
      name: 'a block',
      bytes: 4096,
      want: '3f128b8d5a052638172857f47f0110dc2fc2c234dc0c712c08a3bc6f6c540483',
    },
    {
      name: 'a block and a byte',
      bytes: 4097,
      want: 'f54d7eca1ac49ae471f4abedb0d9309f0b84a51ec5c1733e3abb2aaf9f66c4ad',
    },
    {
      name: 'two levels of hashes',
      bytes: 128 * 4096 + 1,
      want: '7321b423e2b765c00796ae1e5b0be1dbba66e2e76f0e06e0d6ea4f14142d8783',
    },
    {
      name: 'three levels',
      bytes: 128 * 128 * 4096 + 5000,
      want: '68d48a7ef862c714ed97b7082c6d34eea81946069cd3487df653f4470cb77655',
    },
  ],
  ({ bytes, want }) => {
    assert.equal(verityDigest(Buffer.alloc(bytes, 'x')).toString('hex'), want);
  },
);
