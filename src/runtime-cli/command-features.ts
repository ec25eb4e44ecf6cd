import { writeSync } from 'node:fs';

import { describeFeatures } from '../runtime/describe-features.js';
import { readFeatureHost } from '../runtime/read-feature-host.js';
import type { RuntimeCommand } from './runtime-command.js';

/** `features`. */
export const features: RuntimeCommand = {
  options: {},
  run() {
    writeSync(1, `${JSON.stringify(describeFeatures(readFeatureHost()), undefined, 2)}\n`);
    return 0;
  },
};
