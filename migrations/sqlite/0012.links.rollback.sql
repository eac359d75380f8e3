DROP TABLE link_roles;

DROP TABLE links;
