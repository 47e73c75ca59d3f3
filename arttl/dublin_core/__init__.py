"""Dublin Core and what is built on it: OAI-PMH harvests, RDF, the Europeana Data Model, labels of flat records."""
