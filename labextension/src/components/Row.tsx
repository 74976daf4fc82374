import { fileIcon, folderIcon, linkIcon, type LabIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import { formatBytes, formatDate } from '../format';
import type { IEntry } from '../records';

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
  icon: LabIcon | undefined;
  linkLabel: string;
  onClick: (event: React.MouseEvent) => void;
  onDoubleClick: () => void;
  onContextMenu: () => void;
  onDragStart: (event: React.DragEvent) => void;
}

/** One file or directory. */
export function Row(props: IRowProps): React.JSX.Element {
  const { entry, index, active, selected } = props;
  const directory = entry.type === 'directory';
  const Icon = (
    directory ? folderIcon : entry.type === 'symlink' ? linkIcon : (props.icon ?? fileIcon)
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
    entry.link ? props.linkLabel : '',
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
      onClick={props.onClick}
      onDoubleClick={props.onDoubleClick}
      onContextMenu={props.onContextMenu}
      draggable
      onDragStart={props.onDragStart}
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
}
