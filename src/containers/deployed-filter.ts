import type { JsonReader } from '../base/json-reader.js';

/** What an administrator chose of the filter: nothing, that there is to be none, or a profile of his own. */
export type FilterChoice =
  | { readonly kind: 'default' }
  | { readonly kind: 'unconfined' }
  | { readonly kind: 'file'; readonly file: string; readonly profile: string };

/** The filter of a deployment: that of its image's config.json, berth's, none, or one that the administrator gave. */
export type DeployedFilter =
  { readonly kind: 'image' | 'berth' } | Exclude<FilterChoice, { readonly kind: 'default' }>;

/** Where nobody chose anything. */
export const DEFAULT_FILTER: FilterChoice = { kind: 'default' };

/** The choice that a deployment was made with. */
export function choiceOf(filter: DeployedFilter | undefined): FilterChoice {
  return filter?.kind === 'file' || filter?.kind === 'unconfined' ? filter : DEFAULT_FILTER;
}

/** Whether two choices come to the same filter. */
export function sameChoice(one: FilterChoice, other: FilterChoice): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}

/** The filter in a person's words. */
export function describeFilter(filter: DeployedFilter | undefined, hasFilter: boolean): string {
  switch (filter?.kind) {
    case 'berth':
      return "those that berth's own filter lets through";
    case 'unconfined':
      return 'all: there is no filter (--seccomp unconfined)';
    case 'file':
      return `those that the profile ${filter.file} lets through`;
    case 'image':
    case undefined:
      return hasFilter
        ? 'those that its config.json lets through'
        : 'all: its config.json has no filter';
  }
}

/** Reads what a deployment's record says of its filter; undefined where an older berth wrote it. */
export function parseDeployedFilter(reader: JsonReader): DeployedFilter | undefined {
  if (!reader.present) return undefined;
  switch (reader.member('kind').string()) {
    case 'file':
      return {
        kind: 'file',
        file: reader.member('file').string(),
        profile: reader.member('profile').string(),
      };
    case 'unconfined':
      return { kind: 'unconfined' };
    case 'berth':
      return { kind: 'berth' };
    default:
      return { kind: 'image' };
  }
}
