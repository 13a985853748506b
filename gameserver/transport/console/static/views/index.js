// The views, in the order of the navigation: the path's first part, a title, the least role, and the module that draws it.

export const ROLES = ['viewer', 'support', 'operator'];

export const VIEWS = [
  { name: 'players', title: 'Players', role: 'viewer', load: () => import('./players.js') },
  { name: 'player', title: 'Player', role: 'support', hidden: true, load: () => import('./player.js') },
  { name: 'fleet', title: 'Fleet', role: 'viewer', load: () => import('./fleet.js') },
  { name: 'campaigns', title: 'Campaigns', role: 'support', load: () => import('./campaigns.js') },
  { name: 'rules', title: 'Rules', role: 'viewer', load: () => import('./rules.js') },
  { name: 'notices', title: 'Notices', role: 'operator', load: () => import('./notices.js') },
  { name: 'keys', title: 'Keys', role: 'operator', load: () => import('./keys.js') },
  { name: 'audit', title: 'Audit', role: 'support', load: () => import('./audit.js') },
];

export const may = (role, least) => ROLES.indexOf(role) >= ROLES.indexOf(least);
