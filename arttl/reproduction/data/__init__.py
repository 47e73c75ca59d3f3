"""Getting the Rijksmuseum Challenge: the publisher's list of files, downloads that resume, archives unpacked safely."""
