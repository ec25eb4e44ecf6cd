import type { Deployment } from './deployment.js';

/** Whether an image says that it is to be run once and then to be gone: the label of atomic(1). */
export function asksToRunOnce({ labels }: Pick<Deployment, 'labels'>): boolean {
  return labels['atomic.run'] === 'once';
}
