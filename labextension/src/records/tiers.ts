/** Tiers and their usage. */

import type { IEntry } from './files';

/** A named root. */
export interface ITier {
  name: string;
  uri: string;
  scope: string;
  lifetime: string;
  purpose: string;
  /** Directory in which kernels and terminals find it; null for object storage. */
  path: string | null;
  state: 'ok' | 'checking' | 'not configured' | 'unreachable';
  reason: string | null;
  hint: string | null;
  /** Bytes, as the two that follow. */
  used: number | null;
  free: number | null;
  quota: number | null;
  /** When it will be full, if it goes on like that; null where nobody can tell. */
  full_in_days?: number | null;
  /** How a tier that was added in the panel is reached. */
  options?: ITierOptions | null;
}

/** Where the credentials of a bucket are found, and the bucket itself; never a secret. */
export interface ITierOptions {
  endpoint_url?: string;
  region?: string;
  profile?: string;
  anonymous?: boolean;
  access_key_env?: string;
  secret_key_env?: string;
  credentials_file?: string;
}

/** A tier as it is added. */
export interface ITierRequest {
  uri: string;
  options: ITierOptions;
}

/** What fills a tier. */
export interface IUsage {
  tier: string;
  state: 'none' | 'counting' | 'done' | 'cancelled' | 'failed';
  files: number;
  bytes: number;
  own_files: number | null;
  own_bytes: number | null;
  trash_bytes: number;
  largest: IEntry[];
  oldest: IEntry[];
  taken: string | null;
  error: string | null;
}
