import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import { storageIcon } from '../icons';
import type { StorageModel } from '../model';
import { useNow, useSignal } from './hooks';
import { snapshotText } from './Snapshots';

/** How safe the project directory is, for the status bar. */
export function StatusItem(props: {
  model: StorageModel;
  trans: TranslationBundle;
  onClick: () => void;
}): React.JSX.Element {
  const { model, trans, onClick } = props;
  useSignal(model.changed);
  const now = useNow(5000);
  const problem = model.snapshotsError || model.snapshots?.error || '';
  return (
    <button
      className={`jp-Storage-statusItem${problem ? ' jp-mod-error' : ''}`}
      title={problem || trans.__('Snapshots of the project directory')}
      onClick={onClick}
    >
      <storageIcon.react tag="span" className="jp-Storage-icon" />
      <span>{snapshotText(model, trans, now)}</span>
    </button>
  );
}
