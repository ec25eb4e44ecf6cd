import { Option } from 'commander';

/** `--storage`, of the commands that take or look at images. */
export function storageOption(): Option {
  return new Option('--storage <storage>', 'use this store for images, and no other').choices([
    'embedded',
    'ostree',
  ]);
}
