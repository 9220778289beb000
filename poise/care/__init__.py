"""The words of care after an injection: what a clinical record is made of, without any rule or storage."""
