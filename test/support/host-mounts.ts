import { readFileSync } from 'node:fs';

/** Where tests have their folders and trees are built for them, with mounts inside, and networks are made. */
const SCRATCH = ['/tmp/', '/var/tmp/', '/dev/shm/', '/var/cache/berth-test/', '/run/netns/'];

/** The mounts of this machine, without those in folders of other tests, which come and go beside this one's (`own`). */
export function hostMounts(own: string): readonly string[] {
  return readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .filter((line) => {
      const place = line.split(' ')[4] ?? '';
      return line.includes(own) || !SCRATCH.some((folder) => place.startsWith(folder));
    });
}
