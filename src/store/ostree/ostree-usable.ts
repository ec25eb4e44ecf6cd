import { loadLibrary, OstreeLibraryError } from '../../../ostree-adapter/index.js';

/** Why libostree cannot be used on this host; undefined if it can. */
export function isOstreeUsable(): string | undefined {
  try {
    loadLibrary();
    return undefined;
  } catch (error) {
    if (error instanceof OstreeLibraryError) return error.message;
    throw error;
  }
}
