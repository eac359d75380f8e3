DROP TABLE provider_logouts;

DROP TABLE used_answers;
