import { fileIcon, folderIcon, linkIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import { formatBytes, formatDate } from '../format';
import type { IEntry } from '../records';
import type { IPanelContext } from './context';

/** What can be done with a row by the mouse. */
export interface IRowActions {
  click(event: React.MouseEvent, index: number): void;
  open(): void;
  menu(entry: IEntry, index: number): void;
  drag(event: React.DragEvent, entry: IEntry): void;
}

interface IRowProps {
  entry: IEntry;
  index: number;
  /** Pixels from the first row. */
  top: number;
  active: boolean;
  selected: boolean;
  cut: boolean;
  /** The folder that it is in, where that is not the one that is shown. */
  where: string;
  dropTarget: boolean;
  context: IPanelContext;
  actions: IRowActions;
}

/** One file or directory. */
export const Row = React.memo(function Row(props: IRowProps): React.JSX.Element {
  const { entry, index, active, selected, actions } = props;
  const { docRegistry, trans } = props.context;
  const directory = entry.type === 'directory';
  const Icon = (
    directory
      ? folderIcon
      : entry.type === 'symlink'
        ? linkIcon
        : (docRegistry.getFileTypesForPath(entry.name)[0]?.icon ?? fileIcon)
  ).react;
  const classes = ['jp-Storage-row', 'jp-Storage-item'];
  for (const [on, name] of [
    [selected, 'jp-mod-selected'],
    [props.cut, 'jp-mod-cut'],
    [props.dropTarget, 'jp-mod-dropTarget']
  ] as const) {
    if (on) {
      classes.push(name);
    }
  }
  const title = [
    entry.path,
    entry.link ? trans.__('Link to %1', entry.link) : '',
    entry.modified ? new Date(entry.modified).toLocaleString() : '',
    entry.size === null ? '' : `${entry.size.toLocaleString()} B`
  ];
  return (
    <div
      className={classes.join(' ')}
      role="row"
      style={{ transform: `translateY(${props.top}px)` }}
      tabIndex={active ? 0 : -1}
      aria-rowindex={index + 2}
      aria-selected={selected}
      data-index={index}
      data-directory={directory ? entry.path : undefined}
      title={title.filter(Boolean).join('\n')}
      onClick={event => actions.click(event, index)}
      onDoubleClick={actions.open}
      onContextMenu={() => actions.menu(entry, index)}
      draggable
      onDragStart={event => actions.drag(event, entry)}
    >
      <div role="gridcell" className="jp-Storage-name">
        <Icon tag="span" className="jp-Storage-icon" />
        <span className="jp-Storage-fileName">{entry.name}</span>
        {props.where && <span className="jp-Storage-where">{props.where}</span>}
      </div>
      <div role="gridcell" className="jp-Storage-modified">
        {formatDate(entry.modified)}
      </div>
      <div role="gridcell" className="jp-Storage-size">
        {formatBytes(entry.size)}
      </div>
    </div>
  );
});
