import { quote } from '../base/escape-text.js';
import { OperationalError } from '../errors/operational-error.js';
import type { Platform } from './platform.js';

/**
 * Parses `OS/ARCH[/VARIANT]` as a person types it (`linux/arm/v7`).
 *
 * @throws {@link OperationalError} USAGE
 */
export function parsePlatform(text: string): Platform {
  const match = /^([a-z0-9]+)\/([a-z0-9_]+)(?:\/([a-z0-9.]+))?$/.exec(text);
  if (match === null) {
    throw new OperationalError(
      'USAGE',
      `${quote(text)} is not a platform: expected OS/ARCH or OS/ARCH/VARIANT`,
      {
        hint: "for example '--platform linux/arm64'",
      },
    );
  }
  const [, os = '', architecture = '', variant] = match;
  return { os, architecture, variant };
}
