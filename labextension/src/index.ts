import { draggingPlugin } from './plugins/dragging';
import { drivesPlugin } from './plugins/drives';
import { historyPlugin } from './plugins/history';
import { managePlugin } from './plugins/manage';
import { panelPlugin } from './plugins/panel';
import { statusPlugin } from './plugins/status';
import { storagesPlugin } from './plugins/storages';

export { IStorage } from './tokens';

export default [
  panelPlugin,
  drivesPlugin,
  statusPlugin,
  historyPlugin,
  draggingPlugin,
  managePlugin,
  storagesPlugin
];
