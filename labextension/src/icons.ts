import { LabIcon, userIcon, usersIcon } from '@jupyterlab/ui-components';

function icon(name: string, paths: string): LabIcon {
  return new LabIcon({
    name: `jupyter-storage:${name}`,
    svgstr: `<svg xmlns="http://www.w3.org/2000/svg" width="16" viewBox="0 0 24 24"><g class="jp-icon3 jp-icon-selectable" fill="#616161">${paths}</g></svg>`
  });
}

/** Three disks on top of each other. */
export const storageIcon = icon(
  'storage',
  '<path d="M12 2.5c-4.7 0-8.5 1.5-8.5 3.4v2c0 1.9 3.8 3.4 8.5 3.4s8.5-1.5 8.5-3.4v-2c0-1.9-3.8-3.4-8.5-3.4z"/><path d="M3.5 10.600v3.200c0 1.900 3.800 3.400 8.500 3.400s8.500-1.500 8.500-3.400v-3.200c-1.700 1.500-4.900 2.300-8.500 2.300s-6.800-.8-8.500-2.300z"/><path d="M3.500 16.300v1.800c0 1.900 3.800 3.400 8.500 3.400s8.500-1.500 8.500-3.400v-1.800c-1.700 1.500-4.900 2.300-8.500 2.300s-6.800-.8-8.500-2.300z"/>'
);

/** A pie with a slice. */
export const usageIcon = icon(
  'usage',
  '<path d="M11 2.100v10l7.100 7.100A10 10 0 1 1 11 2.100z"/><path d="M13 2.100A10 10 0 0 1 21.900 11H13z"/><path d="M21.900 13a10 10 0 0 1-2.400 5.100L14.400 13z"/>'
);

export const uploadFolderIcon = icon(
  'upload-folder',
  '<path d="M10 4H4c-1.100 0-2 .900-2 2v12c0 1.100.900 2 2 2h16c1.100 0 2-.900 2-2V8c0-1.100-.900-2-2-2h-8l-2-2zm10 14H4V8h16v10z"/><path d="M11 17v-3.700H8.500L12 9.700l3.500 3.600H13V17z"/>'
);

const diskIcon = icon(
  'disk',
  '<path d="M6 4h12l3 9v5c0 1.100-.900 2-2 2H5c-1.100 0-2-.900-2-2v-5l3-9zm1.400 2l-2.300 7h13.800l-2.300-7H7.400zM5 15v3h14v-3H5z"/><circle cx="16.500" cy="16.500" r="1"/>'
);

const clusterIcon = icon(
  'cluster',
  '<path d="M4 3h16c.600 0 1 .400 1 1v5c0 .600-.400 1-1 1H4c-.600 0-1-.400-1-1V4c0-.600.400-1 1-1zm1 2v3h14V5H5zM4 14h16c.600 0 1 .400 1 1v5c0 .600-.400 1-1 1H4c-.600 0-1-.400-1-1v-5c0-.600.400-1 1-1zm1 2v3h14v-3H5zM11 10h2v4h-2z"/><circle cx="7.500" cy="6.500" r="1"/><circle cx="7.500" cy="17.500" r="1"/>'
);

const bucketIcon = icon(
  'bucket',
  '<path d="M3 5c0-1.700 4-3 9-3s9 1.300 9 3l-2.600 14.200c-.200 1.600-3 2.800-6.400 2.800s-6.200-1.200-6.400-2.800L3 5zm2.300 2.500l2 11.200c.300.500 2.100 1.300 4.700 1.300s4.400-.800 4.700-1.300l2-11.200C17 8.200 14.700 8.600 12 8.600s-5-.400-6.700-1.100zM12 4C8.700 4 6.300 4.600 5.300 5.200 6.300 5.900 8.700 6.600 12 6.600s5.700-.700 6.700-1.400C17.700 4.600 15.300 4 12 4z"/>'
);

const BY_NAME: Record<string, LabIcon> = {
  local: diskIcon,
  cluster: clusterIcon,
  user: userIcon,
  shared: usersIcon,
  artifacts: bucketIcon
};

/** The icon of a tier: one of the five, else by what it lies on. */
export function tierIcon(name: string, uri: string): LabIcon {
  return BY_NAME[name] ?? (uri.startsWith('file:') || uri.startsWith('/') ? diskIcon : bucketIcon);
}
