/** The wire format: what the REST routes and the events carry. */

export * from './experiments';
export * from './files';
export * from './snapshots';
export * from './storages';
export * from './tiers';
export * from './transfers';
