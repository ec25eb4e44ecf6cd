import { PLAN_FORMAT } from './plan-format.js';

/**
 * Where a package puts the launcher; with the format of the plans that it reads in its name, so that an upgrade to another format
 * leaves the one that installed units name.
 */
export const PACKAGED_LAUNCHER = `/usr/libexec/berth/launch-${PLAN_FORMAT}`;
