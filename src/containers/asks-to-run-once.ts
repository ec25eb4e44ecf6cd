import { activatorsOf } from './activators.js';
import type { Deployment } from './deployment.js';

/**
 * Whether an image says that it is to be run once and then to be gone: the label of atomic(1). What a socket, timer or path
 * starts is run whenever these want it, and stays.
 */
export function asksToRunOnce({ labels, units }: Pick<Deployment, 'labels' | 'units'>): boolean {
  return labels['atomic.run'] === 'once' && activatorsOf(units).length === 0;
}
