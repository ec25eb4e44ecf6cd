import { mkdirSync } from 'node:fs';

import { LayerMaker } from './make-layers.js';
import { mustRun } from './must-run.js';

/** Where a part of the benchmark that runs on the host has images and stores: a tmpfs, since disks differ. */
export const PLACE = '/var/lib/bench/tmpfs';

/** Where it has what contents are cut from, put there by who boots the host. */
export const CORPUS = '/var/lib/bench/corpus.tar.gz';

/** Mounts {@link PLACE}, and has all that makes temporary files make them there. Once. */
export function makeGuestPlace(): LayerMaker {
  mkdirSync(PLACE);
  mustRun('mount', ['-t', 'tmpfs', '-o', 'size=20g,nr_inodes=4m', 'bench', PLACE]);
  process.env['TMPDIR'] = PLACE;
  return new LayerMaker(PLACE, CORPUS);
}
